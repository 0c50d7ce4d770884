# Sanitizers and coverage apply to everything that links merpati_flags.
if(MERPATI_SANITIZE)
  target_compile_options(merpati_flags INTERFACE -fsanitize=${MERPATI_SANITIZE}
    -fno-sanitize-recover=all -fno-omit-frame-pointer -O1)
  target_link_options(merpati_flags INTERFACE -fsanitize=${MERPATI_SANITIZE})
  target_compile_definitions(merpati_flags INTERFACE MERPATI_SANITIZED=1)
endif()
if(MERPATI_FUZZ)
  target_compile_options(merpati_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(MERPATI_COVERAGE)
  target_compile_options(merpati_flags INTERFACE --coverage -O0)
  target_link_options(merpati_flags INTERFACE --coverage)
endif()
