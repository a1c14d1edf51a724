# asterism_fuzz(NAME SOURCES … LINK … CORPUS dir [MUTATIONS n]): a target that offers
# LLVMFuzzerTestOneInput. Its test runs the files of the corpus and n mutations of each, the same ones
# every time and with any compiler; choose n for a few seconds. With
# ASTERISM_FUZZ (clang) there is also NAME_libfuzzer, to be run by hand for as long as one likes:
#     build/clang/bin/NAME_libfuzzer NEW_DIR tests/fuzz/corpus/…
# The name of this file makes it the first of its folder.
function(asterism_fuzz NAME)
    cmake_parse_arguments(ARG "" "CORPUS;MUTATIONS" "SOURCES;LINK" ${ARGN})
    if(NOT ARG_MUTATIONS)
        set(ARG_MUTATIONS 1000)
    endif()
    add_executable(${NAME} ${ARG_SOURCES} ${CMAKE_SOURCE_DIR}/tests/fuzz/driver.c)
    target_link_libraries(${NAME} PRIVATE ${ARG_LINK} base strict_flags)
    target_compile_definitions(${NAME} PRIVATE _GNU_SOURCE)
    add_test(NAME ${NAME} COMMAND ${NAME} --mutations ${ARG_MUTATIONS} ${ARG_CORPUS}
        WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(${NAME} PROPERTIES LABELS fuzz TIMEOUT 120)
    if(ASTERISM_FUZZ)
        add_executable(${NAME}_libfuzzer ${ARG_SOURCES})
        target_link_libraries(${NAME}_libfuzzer PRIVATE ${ARG_LINK} base strict_flags)
        target_compile_definitions(${NAME}_libfuzzer PRIVATE _GNU_SOURCE)
        target_link_options(${NAME}_libfuzzer PRIVATE -fsanitize=fuzzer)
    endif()
endfunction()
