# The house that the API is tested in runs the daemon's own evaluator.
set(house_sources ${CMAKE_SOURCE_DIR}/tests/unit/api_house.c ${CMAKE_SOURCE_DIR}/tests/unit/api_client.c
    ${CMAKE_SOURCE_DIR}/orchestrator/parts.c ${CMAKE_SOURCE_DIR}/orchestrator/answer.c ${CMAKE_SOURCE_DIR}/orchestrator/prepare.c
    ${CMAKE_SOURCE_DIR}/orchestrator/evaluate.c)
set(trial_sources ${CMAKE_SOURCE_DIR}/tests/unit/trial.c ${house_sources})
asterism_test(unit_api
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_api.c ${house_sources}
    LINK api net cnet store engine spec wire sys base PkgConfig::JANSSON)
asterism_test(unit_api_documents
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_api_documents.c ${house_sources}
    LINK api net cnet store engine spec wire sys base PkgConfig::JANSSON PkgConfig::YAML)
asterism_test(unit_api_streams
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_api_streams.c ${house_sources}
    LINK api net cnet store engine spec wire sys base PkgConfig::JANSSON)
asterism_test(unit_api_limits
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_api_limits.c ${house_sources}
    LINK api net cnet store engine spec wire sys base PkgConfig::JANSSON)
asterism_test(unit_api_pages
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_api_pages.c ${house_sources}
    LINK api net cnet store engine spec wire sys base PkgConfig::JANSSON)
asterism_test(unit_query SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_query.c
    LINK api store engine sys base)
asterism_test(unit_api_changes
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_api_changes.c ${house_sources}
    LINK api net cnet store engine spec wire sys base PkgConfig::JANSSON)
asterism_test(unit_api_attention
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_api_attention.c ${house_sources}
    LINK api net cnet store engine spec wire sys base PkgConfig::JANSSON)
asterism_test(unit_api_living
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_api_living.c ${house_sources}
    LINK api net cnet store engine spec wire sys base PkgConfig::JANSSON)
asterism_test(unit_worker
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_worker.c ${house_sources}
    LINK api net cnet store engine spec wire sys base PkgConfig::JANSSON PkgConfig::SQLITE)
asterism_test(unit_api_work
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_api_work.c ${trial_sources}
    LINK api net cnet store engine spec wire sys base PkgConfig::JANSSON PkgConfig::SQLITE)
asterism_test(unit_api_bulk
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_api_bulk.c ${trial_sources}
    LINK api net cnet store engine spec wire sys base PkgConfig::JANSSON)
asterism_test(unit_api_missing
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_api_missing.c ${house_sources}
    LINK api net cnet store engine spec wire sys base PkgConfig::JANSSON)
asterism_test(unit_api_bulk_beside
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_api_bulk_beside.c ${trial_sources}
    LINK api net cnet store engine spec wire sys base PkgConfig::JANSSON)
asterism_test(unit_api_revisions
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_api_revisions.c
        ${CMAKE_SOURCE_DIR}/tests/unit/plan_batch.c ${CMAKE_SOURCE_DIR}/tests/unit/plan_model.c
        ${CMAKE_SOURCE_DIR}/tests/unit/plan_model_apply.c
        ${CMAKE_SOURCE_DIR}/tests/unit/plan_model_diff.c ${house_sources}
    LINK api net cnet store engine spec wire sys base PkgConfig::JANSSON)
asterism_test(unit_bulk_meets
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_bulk_meets.c ${trial_sources}
    LINK api net cnet store engine spec wire sys base PkgConfig::JANSSON)
