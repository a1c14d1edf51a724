# The selector's grammar is the engine's.
if(TARGET spec AND TARGET engine)
    foreach(name spec spec_problems spec_formats spec_living spec_schema resolve)
        asterism_test(unit_${name} SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_${name}.c
            LINK spec base)
    endforeach()
    asterism_test(unit_spec_task SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_spec_task.c
            ${CMAKE_SOURCE_DIR}/tests/unit/spec_round.c
        LINK spec base)
endif()
asterism_test(unit_edit_batch SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_edit_batch.c
    LINK spec base)
