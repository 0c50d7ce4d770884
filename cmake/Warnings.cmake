# One set of warnings for gcc 12 and clang 14; banned.h is included before every file.
add_library(merpati_flags INTERFACE)
target_compile_options(merpati_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wformat=2 -Wpointer-arith
  -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wimplicit-fallthrough -Wundef -Wwrite-strings
  $<$<BOOL:${MERPATI_WERROR}>:-Werror>
  -fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=
  -fno-strict-aliasing -fno-common -fno-delete-null-pointer-checks
  -include ${CMAKE_SOURCE_DIR}/lib/base/banned.h)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(merpati_flags INTERFACE -Wduplicated-cond -Wlogical-op -Wtrampolines
    -Wno-format-truncation) # a bound given to snprintf is a decision, not an accident
endif()
target_compile_definitions(merpati_flags INTERFACE _GNU_SOURCE
  MERPATI_VERSION="${PROJECT_VERSION}"
  $<$<BOOL:${MERPATI_FAULTS}>:MERPATI_FAULTS=1>
  $<$<BOOL:${WITH_SECCOMP}>:WITH_SECCOMP=1>
  $<$<BOOL:${WITH_PAM}>:WITH_PAM=1>
  $<$<BOOL:${WITH_IDN}>:WITH_IDN=1>)
target_include_directories(merpati_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
