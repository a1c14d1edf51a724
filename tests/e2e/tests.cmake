# The real programs, from this build's own bin directory.
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)

find_package(Threads REQUIRED)

add_library(e2e_rig STATIC
    ${CMAKE_SOURCE_DIR}/tests/e2e/aip.c
    ${CMAKE_SOURCE_DIR}/tests/e2e/ask.c
    ${CMAKE_SOURCE_DIR}/tests/e2e/command.c
    ${CMAKE_SOURCE_DIR}/tests/e2e/fleet.c
    ${CMAKE_SOURCE_DIR}/tests/e2e/history.c
    ${CMAKE_SOURCE_DIR}/tests/e2e/lanes.c
    ${CMAKE_SOURCE_DIR}/tests/e2e/living.c
    ${CMAKE_SOURCE_DIR}/tests/e2e/marks.c
    ${CMAKE_SOURCE_DIR}/tests/e2e/process.c
    ${CMAKE_SOURCE_DIR}/tests/e2e/proxy.c
    ${CMAKE_SOURCE_DIR}/tests/e2e/trial.c)
target_link_libraries(e2e_rig
    PUBLIC base wire PkgConfig::CURL PkgConfig::JANSSON PkgConfig::SQLITE PkgConfig::CMOCKA
        Threads::Threads
    PRIVATE strict_flags)
target_compile_definitions(e2e_rig
    PRIVATE _GNU_SOURCE
    PUBLIC E2E_BIN="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}" E2E_SOURCE="${CMAKE_SOURCE_DIR}")

# e2e_test(NAME TIMEOUT seconds): tests/e2e/test_NAME.c as e2e_NAME.
function(e2e_test NAME TIMEOUT)
    asterism_test(e2e_${NAME} LABEL e2e TIMEOUT ${TIMEOUT}
        SOURCES ${CMAKE_SOURCE_DIR}/tests/e2e/test_${NAME}.c LINK e2e_rig)
    add_dependencies(e2e_${NAME} asterismd asterism-agent asterism-exec asterism)
endfunction()

e2e_test(checker 60)
e2e_test(examples 180)
e2e_test(hello 120)
e2e_test(daemon_killed 240)
e2e_test(fault_points 240)
e2e_test(living_killed 300)
e2e_test(large_edit 240)
e2e_test(cuts 240)
e2e_test(agent_killed 180)
e2e_test(bad_agent 120)
e2e_test(bad_input 120)
e2e_test(security 120)
e2e_test(streams 120)
e2e_test(store 120)
e2e_test(shutdown 120)
e2e_test(tls 120)
e2e_test(rewritten 120)
