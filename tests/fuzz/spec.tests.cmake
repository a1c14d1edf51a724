if(COMMAND asterism_fuzz AND TARGET spec AND TARGET engine AND TARGET wire)
    asterism_fuzz(fuzz_spec
        SOURCES ${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz_spec.c
            ${CMAKE_SOURCE_DIR}/tests/unit/spec_round.c
        LINK spec wire base
        CORPUS ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/spec
        MUTATIONS 10000)
    asterism_fuzz(fuzz_task
        SOURCES ${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz_task.c
        LINK spec base
        CORPUS ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/task
        MUTATIONS 10000)
endif()
