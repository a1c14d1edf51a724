# The two tests that hold the floors, and one that holds the documents to the code.
add_test(NAME tidy_symbols COMMAND sh ${CMAKE_SOURCE_DIR}/tests/tidy/symbols.sh
    $<TARGET_FILE:engine> $<TARGET_FILE:agent_engine> $<TARGET_FILE:base> $<TARGET_FILE:msg>)
add_test(NAME tidy_includes COMMAND sh ${CMAKE_SOURCE_DIR}/tests/tidy/includes.sh
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
add_test(NAME tidy_documents COMMAND sh ${CMAKE_SOURCE_DIR}/tests/tidy/documents.sh
    ${CMAKE_BINARY_DIR}/bin WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
set_tests_properties(tidy_symbols tidy_includes tidy_documents PROPERTIES LABELS tidy TIMEOUT 60)
