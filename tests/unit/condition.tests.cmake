foreach(name condition condition_walls)
    asterism_test(unit_${name} SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_${name}.c
        LINK spec base PkgConfig::SQLITE)
endforeach()
