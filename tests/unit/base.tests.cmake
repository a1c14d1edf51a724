asterism_test(unit_base SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_base.c LINK base)
asterism_test(unit_base_text SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_base_text.c LINK base)
