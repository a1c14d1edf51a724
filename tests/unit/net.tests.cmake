asterism_test(unit_net_http SOURCES
    ${CMAKE_SOURCE_DIR}/tests/unit/test_net_http.c ${CMAKE_SOURCE_DIR}/tests/unit/net_house.c
    LINK net cnet base)
asterism_test(unit_net_answers SOURCES
    ${CMAKE_SOURCE_DIR}/tests/unit/test_net_answers.c ${CMAKE_SOURCE_DIR}/tests/unit/net_house.c
    LINK net cnet base)
asterism_test(unit_net_door SOURCES
    ${CMAKE_SOURCE_DIR}/tests/unit/test_net_door.c ${CMAKE_SOURCE_DIR}/tests/unit/net_house.c
    LINK net cnet base)
asterism_test(unit_net_behind SOURCES
    ${CMAKE_SOURCE_DIR}/tests/unit/test_net_behind.c ${CMAKE_SOURCE_DIR}/tests/unit/net_house.c
    ${CMAKE_SOURCE_DIR}/tests/unit/net_certificate.c
    LINK net cnet base)
asterism_test(unit_net SOURCES
    ${CMAKE_SOURCE_DIR}/tests/unit/test_net.c ${CMAKE_SOURCE_DIR}/tests/unit/net_house.c
    LINK net cnet base)
asterism_test(unit_cnet SOURCES
    ${CMAKE_SOURCE_DIR}/tests/unit/test_cnet.c ${CMAKE_SOURCE_DIR}/tests/unit/net_house.c
    ${CMAKE_SOURCE_DIR}/tests/unit/net_certificate.c
    LINK net cnet base PkgConfig::CURL)
asterism_test(unit_net_limits SOURCES
    ${CMAKE_SOURCE_DIR}/tests/unit/test_net_limits.c ${CMAKE_SOURCE_DIR}/tests/unit/net_house.c
    LINK net cnet base)
asterism_test(unit_sending SOURCES
    ${CMAKE_SOURCE_DIR}/tests/unit/test_sending.c ${CMAKE_SOURCE_DIR}/tests/unit/net_house.c
    LINK net cnet base)
