asterism_test(unit_api
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_api.c ${CMAKE_SOURCE_DIR}/tests/unit/api_house.c
    LINK api net cnet store engine spec sys base PkgConfig::JANSSON PkgConfig::YAML)
asterism_test(unit_api_streams
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_api_streams.c
        ${CMAKE_SOURCE_DIR}/tests/unit/api_house.c
    LINK api net cnet store engine spec sys base PkgConfig::JANSSON)
asterism_test(unit_api_limits
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_api_limits.c
        ${CMAKE_SOURCE_DIR}/tests/unit/api_house.c
    LINK api net cnet store engine spec sys base PkgConfig::JANSSON)
asterism_test(unit_api_pages
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_api_pages.c
        ${CMAKE_SOURCE_DIR}/tests/unit/api_house.c
    LINK api net cnet store engine spec sys base PkgConfig::JANSSON)
asterism_test(unit_query SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_query.c
    LINK api store engine sys base)
asterism_test(unit_api_changes
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_api_changes.c
        ${CMAKE_SOURCE_DIR}/tests/unit/api_house.c
    LINK api net cnet store engine spec sys base PkgConfig::JANSSON)
