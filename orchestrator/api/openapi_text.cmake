# cmake -DFROM=… -DTO=… -P: a file as an array of C, so that a program can carry it.
file(READ ${FROM} bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)"
    "\\1\n" bytes "${bytes}")
file(WRITE ${TO} "#include \"orchestrator/api/openapi_text.h\"\n\n"
    "const unsigned char openapi_text[] = {\n${bytes}\n};\n"
    "const size_t openapi_text_bytes = sizeof(openapi_text);\n")
