# The two tests that hold the floors, one that holds the documents to the code, and the shells that
# complete our command line: zsh and fish are skipped, and say so, where they are not installed.
add_test(NAME tidy_symbols COMMAND sh ${CMAKE_SOURCE_DIR}/tests/tidy/symbols.sh
    $<TARGET_FILE:engine> $<TARGET_FILE:agent_engine> $<TARGET_FILE:base> $<TARGET_FILE:msg>)
add_test(NAME tidy_includes COMMAND sh ${CMAKE_SOURCE_DIR}/tests/tidy/includes.sh
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
add_test(NAME tidy_documents COMMAND sh ${CMAKE_SOURCE_DIR}/tests/tidy/documents.sh
    ${CMAKE_BINARY_DIR}/bin WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
set_tests_properties(tidy_symbols tidy_includes tidy_documents PROPERTIES LABELS tidy TIMEOUT 60)
foreach(shell bash zsh fish)
    add_test(NAME completion_${shell} COMMAND sh ${CMAKE_SOURCE_DIR}/tests/tidy/completion.sh
        ${shell} ${CMAKE_BINARY_DIR}/bin)
    set_tests_properties(completion_${shell} PROPERTIES LABELS tidy TIMEOUT 60 SKIP_RETURN_CODE 77)
endforeach()
