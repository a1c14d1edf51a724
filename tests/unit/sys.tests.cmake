asterism_test(unit_sys SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_sys.c LINK sys base)
asterism_test(unit_config SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_config.c LINK sys base)
asterism_test(unit_daemon_config SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_daemon_config.c
        ${CMAKE_SOURCE_DIR}/orchestrator/config.c
    LINK net cnet sys base)
