if(COMMAND asterism_fuzz AND TARGET spec AND TARGET engine)
    asterism_fuzz(fuzz_condition
        SOURCES ${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz_condition.c
        LINK spec base
        CORPUS ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/condition
        MUTATIONS 5000)
endif()
