foreach(name condition condition_walls)
    asterism_test(unit_${name} SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_${name}.c
        LINK spec base PkgConfig::SQLITE)
endforeach()
if(TARGET spec AND TARGET engine)
    asterism_test(unit_spec_document SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_spec_document.c
        LINK spec base PkgConfig::SQLITE)
endif()
