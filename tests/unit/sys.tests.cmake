asterism_test(unit_sys SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_sys.c LINK sys base)
asterism_test(unit_config SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_config.c LINK sys base)
