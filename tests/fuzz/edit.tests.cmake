if(COMMAND asterism_fuzz AND TARGET spec AND TARGET engine)
    asterism_fuzz(fuzz_edit
        SOURCES ${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz_edit.c
        LINK spec base
        CORPUS ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/edit
        MUTATIONS 5000)
endif()
if(COMMAND asterism_fuzz AND TARGET spec AND TARGET engine)
    asterism_fuzz(fuzz_import
        SOURCES ${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz_import.c
        LINK spec base
        CORPUS ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/import
        MUTATIONS 5000)
endif()
