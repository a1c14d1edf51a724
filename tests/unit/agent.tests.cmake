asterism_test(unit_agent_engine
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_agent_engine.c
        ${CMAKE_SOURCE_DIR}/tests/unit/agent_world.c
    LINK agent_engine msg base)
asterism_test(unit_agent_session
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_agent_session.c
        ${CMAKE_SOURCE_DIR}/tests/unit/agent_world.c
    LINK agent_engine msg base)
asterism_test(unit_journal SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_journal.c
    LINK journal agent_engine msg base)
if(TARGET agent)
    asterism_test(unit_agent_config SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_agent_config.c
        LINK agent sys msg base)
endif()
