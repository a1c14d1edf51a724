asterism_test(unit_metrics SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_metrics.c
        ${CMAKE_SOURCE_DIR}/tests/unit/graph_world.c
    LINK engine msg base)
