# The simulator, and the tests of its checker: each --sabotage breaks something on purpose, and the
# promise that it breaks must be the one that is named.
file(GLOB sim_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/sim/*.c)
add_executable(sim ${sim_sources} ${CMAKE_SOURCE_DIR}/orchestrator/prepare.c
    ${CMAKE_SOURCE_DIR}/orchestrator/evaluate.c ${CMAKE_SOURCE_DIR}/orchestrator/answer.c
    ${CMAKE_SOURCE_DIR}/orchestrator/receipt.c ${CMAKE_SOURCE_DIR}/orchestrator/parts.c)
target_link_libraries(sim PRIVATE store spec wire engine agent_engine msg sys base strict_flags)
target_compile_definitions(sim PRIVATE _GNU_SOURCE)

# A thousand large worlds; one seed in twenty is a small one over SQLite.
add_test(NAME sim COMMAND sim --seeds 1060)
add_test(NAME sim_twice COMMAND sim --seeds 12 --from 5000 --twice)
set_tests_properties(sim sim_twice PROPERTIES LABELS sim TIMEOUT 400)

function(asterism_sabotage NAME PROMISE)
    add_test(NAME sim_notices_${NAME} COMMAND sim --seeds 60 --sabotage ${NAME})
    set_tests_properties(sim_notices_${NAME} PROPERTIES LABELS sim TIMEOUT 60
        PASS_REGULAR_EXPRESSION "broke ${PROMISE}:")
endfunction()
asterism_sabotage(run-twice P1)
asterism_sabotage(no-edges P4)
asterism_sabotage(send-early P5)
asterism_sabotage(forget-sync P5)
asterism_sabotage(commit-twice P6)
asterism_sabotage(forget-result P6)
asterism_sabotage(lose-on-cut "(P7|the protocol)") # the agent may be the first to notice
asterism_sabotage(ignore-slots P8)
asterism_sabotage(drop-ack P9)
asterism_sabotage(lose-row P10)
asterism_sabotage(half-edit "(P3|P10)") # the store may be the first to notice
asterism_sabotage(stale-base P3)
asterism_sabotage(lose-hold P5)
asterism_sabotage(forget-hold P5)
asterism_sabotage(wrong-kind P4)
asterism_sabotage(wrong-condition P4)
asterism_sabotage(once-again P1)
asterism_sabotage(any-device P4)
asterism_sabotage(no-resources P8)
asterism_sabotage(no-limit P8)
asterism_sabotage(no-timeouts P9)
asterism_sabotage(no-silence P9)
asterism_sabotage(half-bulk P3)
