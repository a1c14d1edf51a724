# Every *.scenario file is one test of one program.
file(GLOB scenarios CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/scenario/*.scenario)
add_executable(scenario ${CMAKE_SOURCE_DIR}/tests/scenario/scenario.c
    ${CMAKE_SOURCE_DIR}/tests/scenario/script.c ${CMAKE_SOURCE_DIR}/tests/scenario/script_plan.c
    ${CMAKE_SOURCE_DIR}/tests/scenario/script_agent.c
    ${CMAKE_SOURCE_DIR}/tests/scenario/script_edit.c
    ${CMAKE_SOURCE_DIR}/tests/scenario/script_people.c ${CMAKE_SOURCE_DIR}/tests/scenario/trace.c
    ${CMAKE_SOURCE_DIR}/orchestrator/evaluate.c)
target_link_libraries(scenario PRIVATE store spec engine msg base
    PkgConfig::JANSSON PkgConfig::CMOCKA strict_flags)
target_compile_definitions(scenario PRIVATE _GNU_SOURCE)
add_test(NAME scenario COMMAND scenario ${scenarios} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
set_tests_properties(scenario PROPERTIES LABELS scenario TIMEOUT 120)
