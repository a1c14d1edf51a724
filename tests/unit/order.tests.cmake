asterism_test(unit_order SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_order.c
        ${CMAKE_SOURCE_DIR}/tests/unit/graph_world.c
    LINK engine msg base)
asterism_test(unit_order_take SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_order_take.c
        ${living_sources}
    LINK store engine msg base)
