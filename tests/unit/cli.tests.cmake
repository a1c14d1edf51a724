asterism_test(unit_cli SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_cli.c LINK cli)
asterism_test(unit_cli_show SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_cli_show.c LINK cli)
asterism_test(unit_cli_http SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_cli_http.c LINK cli)
