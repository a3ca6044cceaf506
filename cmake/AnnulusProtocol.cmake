# The coordinator's messages: coord/annulus.pb-c.[ch], made of src/coord/annulus.proto in the build tree.

find_program(PROTOC_C protoc-c)
mark_as_advanced(PROTOC_C)
if(NOT PROTOC_C)
  message(FATAL_ERROR "protoc-c was not found: install protobuf-c-compiler.")
endif()

# Adds the messages to `target`, and their folder to what it and its users include.
function(annulus_add_protocol target)
  set(root ${PROJECT_BINARY_DIR}/protocol)
  file(MAKE_DIRECTORY ${root}/coord)
  add_custom_command(OUTPUT ${root}/coord/annulus.pb-c.c ${root}/coord/annulus.pb-c.h
    COMMAND ${PROTOC_C} --proto_path=${PROJECT_SOURCE_DIR}/src --c_out=${root} coord/annulus.proto
    DEPENDS ${PROJECT_SOURCE_DIR}/src/coord/annulus.proto VERBATIM)
  add_library(${target}_protocol OBJECT ${root}/coord/annulus.pb-c.c ${root}/coord/annulus.pb-c.h)
  target_include_directories(${target}_protocol PUBLIC ${root})
  target_link_libraries(${target}_protocol PRIVATE PkgConfig::PROTOBUF_C)
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:${target}_protocol>)
  add_dependencies(${target} ${target}_protocol)
  target_include_directories(${target} SYSTEM PUBLIC $<BUILD_INTERFACE:${root}>)
endfunction()
