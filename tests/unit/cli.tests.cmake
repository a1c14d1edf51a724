asterism_test(unit_cli SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_cli.c LINK cli)
asterism_test(unit_cli_show SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_cli_show.c LINK cli)
asterism_test(unit_cli_http SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_cli_http.c
        ${CMAKE_SOURCE_DIR}/tests/unit/cli_server.c
    LINK cli)
asterism_test(unit_cli_changes SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_cli_changes.c
        ${CMAKE_SOURCE_DIR}/tests/unit/cli_server.c
    LINK cli)
