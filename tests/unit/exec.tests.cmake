asterism_test(unit_exec SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_exec.c
        ${CMAKE_SOURCE_DIR}/tests/unit/exec_rig.c
    LINK exec msg base)
asterism_test(unit_exec_death SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_exec_death.c
        ${CMAKE_SOURCE_DIR}/tests/unit/exec_rig.c
    LINK exec msg base)
asterism_test(unit_exec_files SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_exec_files.c
        ${CMAKE_SOURCE_DIR}/tests/unit/exec_rig.c
    LINK exec msg base)
asterism_test(unit_exec_trash SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_exec_trash.c
        ${CMAKE_SOURCE_DIR}/tests/unit/exec_rig.c
    LINK exec msg base)
asterism_test(unit_exec_workdir SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_exec_workdir.c
    LINK exec msg base)
asterism_test(unit_exec_pipe SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_exec_pipe.c
        ${CMAKE_SOURCE_DIR}/agent/exec/helper_pipe.c
    LINK base)
