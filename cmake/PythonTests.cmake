# merpati_python_tests(kind [LABELS ...] [TIMEOUT s]): every test_*.py of the current folder is a ctest
# named <kind>/<name>; exit code 77 is a skip. The programs are those of this build tree.
find_package(Python3 COMPONENTS Interpreter)
function(merpati_python_tests kind)
  cmake_parse_arguments(ARG "" "TIMEOUT" "LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/test_*.py)
  foreach(test IN LISTS tests)
    get_filename_component(leaf ${test} NAME_WE)
    string(REGEX REPLACE "^test_" "" short ${leaf})
    add_test(NAME ${kind}/${short} COMMAND ${Python3_EXECUTABLE} ${test})
    set_tests_properties(${kind}/${short} PROPERTIES LABELS "${kind};${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT}
      SKIP_RETURN_CODE 77
      ENVIRONMENT "PYTHONPATH=${CMAKE_SOURCE_DIR}/tests/support;MERPATI_BUILD=${CMAKE_BINARY_DIR};MERPATI_SOURCE=${CMAKE_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
  endforeach()
endfunction()
