set(sqlite_number ${CMAKE_SOURCE_DIR}/tests/unit/sqlite_number.c)
set(store_bench ${CMAKE_SOURCE_DIR}/tests/unit/store_world.c ${CMAKE_SOURCE_DIR}/tests/unit/store_run.c)
asterism_test(unit_store
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_store.c ${store_bench}
    LINK store engine base)
asterism_test(unit_store_output
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_store_output.c ${store_bench}
    LINK store engine base)
asterism_test(unit_store_sqlite
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_store_sqlite.c
        ${CMAKE_SOURCE_DIR}/tests/unit/store_query.c ${sqlite_number} ${store_bench}
    LINK store engine base PkgConfig::SQLITE)
asterism_test(unit_retention
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_retention.c
        ${CMAKE_SOURCE_DIR}/tests/unit/store_query.c ${sqlite_number} ${store_bench}
    LINK store engine base PkgConfig::SQLITE)
asterism_test(unit_backup
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_backup.c
        ${CMAKE_SOURCE_DIR}/tests/unit/store_query.c ${sqlite_number} ${store_bench}
    LINK store engine base PkgConfig::SQLITE)
asterism_test(unit_store_limits
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_store_limits.c ${store_bench}
    LINK store engine base)
asterism_test(unit_checkpoint
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_checkpoint.c
        ${CMAKE_SOURCE_DIR}/tests/unit/watched_vfs.c ${sqlite_number} ${store_bench}
    LINK store engine base PkgConfig::SQLITE)
asterism_test(unit_log_room
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_log_room.c ${sqlite_number}
    LINK store engine sys base PkgConfig::SQLITE)
asterism_test(unit_log_file
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_log_file.c ${sqlite_number}
    LINK store base PkgConfig::SQLITE)
set(store_sample ${CMAKE_SOURCE_DIR}/tests/unit/store_sample.c ${store_bench})
asterism_test(unit_store_plan
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_store_plan.c
        ${CMAKE_SOURCE_DIR}/tests/unit/store_bench.c ${store_sample}
    LINK store engine base)
asterism_test(unit_store_edit
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_store_edit.c
        ${CMAKE_SOURCE_DIR}/tests/unit/store_bench.c ${store_sample}
    LINK store engine base)
asterism_test(unit_query_plan
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_query_plan.c
        ${CMAKE_SOURCE_DIR}/tests/unit/store_bench.c ${sqlite_number} ${store_sample}
    LINK store engine base PkgConfig::SQLITE)
asterism_test(unit_store_pages
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_store_pages.c ${sqlite_number} ${store_sample}
    LINK store engine base PkgConfig::SQLITE)
asterism_test(unit_late
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_late.c ${sqlite_number} ${store_sample}
    LINK store engine base PkgConfig::SQLITE)
asterism_test(unit_reader
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_reader.c ${store_bench}
    LINK store engine base PkgConfig::SQLITE)
asterism_test(unit_part_pack SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_part_pack.c
    LINK store engine base)
