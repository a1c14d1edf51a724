# An engine with one device and a book of what it asked to have stored.
set(living_sources ${CMAKE_SOURCE_DIR}/tests/unit/living_world.c
    ${CMAKE_SOURCE_DIR}/tests/unit/living_book.c ${CMAKE_SOURCE_DIR}/tests/unit/living_bulk.c
    ${CMAKE_SOURCE_DIR}/tests/unit/living_plan.c ${CMAKE_SOURCE_DIR}/tests/unit/device_hello.c)
asterism_test(unit_edit SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_edit.c
        ${living_sources}
    LINK store engine msg base)
asterism_test(unit_living_model SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_living_model.c
        ${CMAKE_SOURCE_DIR}/tests/unit/living_play.c
        ${CMAKE_SOURCE_DIR}/tests/unit/living_play_attempt.c
        ${CMAKE_SOURCE_DIR}/tests/unit/living_play_edit.c
        ${CMAKE_SOURCE_DIR}/tests/unit/living_play_people.c
        ${CMAKE_SOURCE_DIR}/tests/unit/living_model.c
        ${CMAKE_SOURCE_DIR}/tests/unit/living_model_again.c
        ${CMAKE_SOURCE_DIR}/tests/unit/living_model_attempt.c
        ${CMAKE_SOURCE_DIR}/tests/unit/living_model_edit.c
        ${living_sources}
    LINK store engine msg base)
asterism_test(unit_bounds SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_bounds.c
        ${living_sources}
    LINK store engine msg base)
asterism_test(unit_bounds_fleet SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_bounds_fleet.c
        ${living_sources}
    LINK store engine msg base)
asterism_test(unit_fleet SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_fleet.c
        ${living_sources}
    LINK store engine msg base)
asterism_test(unit_slices SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_slices.c
        ${living_sources}
    LINK store engine msg base)
asterism_test(unit_living_limits SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_living_limits.c
        ${living_sources}
    LINK store engine msg base)
asterism_test(unit_living_storm SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_living_storm.c
        ${living_sources}
    LINK store engine msg base)
asterism_test(unit_policy SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_policy.c
        ${living_sources}
    LINK store engine msg base)
asterism_test(unit_asleep SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_asleep.c
        ${living_sources}
    LINK store engine msg base)
asterism_test(unit_bulk SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_bulk.c
        ${living_sources}
    LINK store engine msg base)
asterism_test(unit_bulk_turns SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_bulk_turns.c
        ${living_sources}
    LINK store engine msg base)
asterism_test(unit_living_collisions SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_living_collisions.c
        ${living_sources}
    LINK store engine msg base)
asterism_test(unit_keep SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_keep.c
        ${living_sources}
    LINK store engine msg base)
