# The benchmarks: built with everything else, run by hand or by ./dev bench (docs/speed.md).
if(TARGET cnet AND TARGET wire AND TARGET sys)
set(bench_sources bench report floors floor_spawn floor_trip fleet http fake plans usage cores
    noop hop process dag submit memory idle_agents mix rig living steps edits)
list(TRANSFORM bench_sources PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
list(TRANSFORM bench_sources APPEND .c)
asterism_program(asterism-bench
    SOURCES ${bench_sources}
    LINK engine cnet wire msg sys base PkgConfig::CURL PkgConfig::SQLITE PkgConfig::JANSSON
        PkgConfig::EVENT)
endif()
