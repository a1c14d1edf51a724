asterism_test(unit_net_http SOURCES
    ${CMAKE_SOURCE_DIR}/tests/unit/test_net_http.c ${CMAKE_SOURCE_DIR}/tests/unit/net_house.c
    LINK net cnet base)
