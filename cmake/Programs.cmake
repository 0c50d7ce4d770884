# merpati_daemon(name DEPS layers... [LIBS ...]): all *.c of the folder but main.c become
# lib<name>_core.a (unit tests link it); main.c becomes libexec/merpati/<name>.
# merpati_command(name DIR sbin|bin DEPS ... SOURCES ...): an operator's or user's command.
set(MERPATI_LIBEXEC ${CMAKE_INSTALL_PREFIX}/libexec/merpati)
set_property(GLOBAL PROPERTY MERPATI_PROGRAMS "")
set_property(GLOBAL PROPERTY MERPATI_CORES "")

function(merpati_daemon name)
  cmake_parse_arguments(ARG "" "" "DEPS;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  list(REMOVE_ITEM sources ${CMAKE_CURRENT_SOURCE_DIR}/main.c)
  string(REPLACE "-" "_" core ${name}_core)
  if(sources)
    add_library(${core} STATIC ${sources})
    target_link_libraries(${core} PUBLIC ${ARG_DEPS} ${ARG_LIBS} merpati_flags)
    set_property(GLOBAL APPEND PROPERTY MERPATI_CORES ${core})
    set(link ${core})
  endif()
  add_executable(${name} main.c)
  target_link_libraries(${name} PRIVATE ${link} ${ARG_DEPS} ${ARG_LIBS} merpati_flags)
  # a build tree looks like an installation: build/libexec/merpati, build/sbin, build/bin
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/libexec/merpati)
  install(TARGETS ${name} RUNTIME DESTINATION libexec/merpati)
  set_property(GLOBAL APPEND PROPERTY MERPATI_PROGRAMS ${name})
endfunction()

function(merpati_command name)
  cmake_parse_arguments(ARG "" "DIR" "DEPS;LIBS;SOURCES" ${ARGN})
  add_executable(cmd_${name} ${ARG_SOURCES})
  target_link_libraries(cmd_${name} PRIVATE ${ARG_DEPS} ${ARG_LIBS} merpati_flags)
  set_target_properties(cmd_${name} PROPERTIES OUTPUT_NAME ${name}
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/${ARG_DIR})
  install(TARGETS cmd_${name} RUNTIME DESTINATION ${ARG_DIR})
  set_property(GLOBAL APPEND PROPERTY MERPATI_PROGRAMS cmd_${name})
endfunction()

# every top-level folder with a CMakeLists.txt is a program's folder
macro(merpati_add_programs)
  file(GLOB folders CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/*/CMakeLists.txt)
  foreach(file IN LISTS folders)
    get_filename_component(folder ${file} DIRECTORY)
    get_filename_component(leaf ${folder} NAME)
    if(NOT leaf STREQUAL "lib" AND NOT leaf STREQUAL "tests")
      add_subdirectory(${folder})
    endif()
  endforeach()
endmacro()

# manual pages lie beside the program that they describe: NAME.1, NAME.5, NAME.8
function(merpati_install_manual_pages)
  foreach(section 1 5 8)
    file(GLOB pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/*/*.${section} ${CMAKE_SOURCE_DIR}/admin/*/*.${section})
    if(pages)
      install(FILES ${pages} DESTINATION share/man/man${section})
    endif()
  endforeach()
endfunction()
