asterism_test(unit_living_collisions SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_living_collisions.c
        ${CMAKE_SOURCE_DIR}/tests/unit/living_world.c
    LINK store engine msg base)
