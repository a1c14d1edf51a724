asterism_test(unit_api_edits
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_api_edits.c ${trial_sources}
    LINK api net cnet store engine spec wire sys base PkgConfig::JANSSON)
asterism_test(unit_import SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_import.c LINK spec base)
asterism_test(unit_api_undo
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_api_undo.c ${trial_sources}
    LINK api net cnet store engine spec wire sys base PkgConfig::JANSSON)
asterism_test(unit_api_random_edits
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_api_random_edits.c ${trial_sources}
    LINK api net cnet store engine spec wire sys base PkgConfig::JANSSON)
asterism_test(unit_api_past
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_api_past.c ${trial_sources}
    LINK api net cnet store engine spec wire sys base PkgConfig::JANSSON)
asterism_test(unit_api_wake
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_api_wake.c ${house_sources}
    LINK api net cnet store engine spec wire sys base PkgConfig::JANSSON)
