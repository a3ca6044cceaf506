# Files compiled in: a header with an array of {name, bytes, size}, made again when one of the files changes.
#
# Also run as a script (cmake -P) with OUTPUT, NAME, TYPE and FILES (separated by ','; their names become the entries').

if(CMAKE_SCRIPT_MODE_FILE)
  string(REPLACE "," ";" FILES "${FILES}")
  set(arrays)
  set(entries)
  foreach(file IN LISTS FILES)
    cmake_path(GET file FILENAME name)
    string(MAKE_C_IDENTIFIER ${name} id)
    file(READ ${file} hex HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
    string(REPLACE "0x0a," "0x0a,\n" bytes "${bytes}")
    string(APPEND arrays "static const unsigned char embedded_${id}[] = {\n${bytes}};\n")
    string(APPEND entries "    {\"${name}\", embedded_${id}, sizeof embedded_${id}},\n")
  endforeach()
  file(WRITE ${OUTPUT}
"#include <stddef.h>\ntypedef struct ${TYPE} {\n    const char *name;\n    const unsigned char *bytes;\n    size_t size;\n} ${TYPE};\n\
${arrays}static const ${TYPE} ${NAME}[] = {\n${entries}};\n")
  return()
endif()

# annulus_embed(TARGET HEADER TYPE NAME FILE...): TARGET may include "HEADER", which defines `static const TYPE NAME[]`.
function(annulus_embed target header type name)
  set(output ${PROJECT_BINARY_DIR}/generated/${header})
  list(JOIN ARGN "," files)
  add_custom_command(OUTPUT ${output} DEPENDS ${ARGN} ${CMAKE_CURRENT_FUNCTION_LIST_FILE} VERBATIM
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} -DNAME=${name} -DTYPE=${type} "-DFILES=${files}"
            -P ${CMAKE_CURRENT_FUNCTION_LIST_FILE}
    COMMENT "Embedding the files of ${header}")
  target_sources(${target} PRIVATE ${output})
  target_include_directories(${target} PRIVATE ${PROJECT_BINARY_DIR}/generated)
endfunction()
