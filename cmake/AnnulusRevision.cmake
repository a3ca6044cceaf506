# The version and the git revision, compiled in. The header is made at build time, in the build tree, and rewritten only
# when the revision changes, so that a commit recompiles one file.
#
# Also run as a script (cmake -P) with SOURCE_DIR, OUTPUT and VERSION.

if(CMAKE_SCRIPT_MODE_FILE)
  set(revision unknown)
  find_program(GIT git)
  if(GIT AND EXISTS ${SOURCE_DIR}/.git)
    execute_process(COMMAND ${GIT} -C ${SOURCE_DIR} describe --always --dirty --abbrev=12 --exclude=*
                    OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
    if(NOT failed)
      set(revision ${described})
    endif()
  endif()
  file(CONFIGURE OUTPUT ${OUTPUT} CONTENT
"#define ANNI_VERSION \"${VERSION}\"\n#define ANNI_REVISION \"${revision}\"\n")
  return()
endif()

function(annulus_add_revision target)
  set(header ${PROJECT_BINARY_DIR}/generated/annulus_build.h)
  add_custom_target(annulus_revision BYPRODUCTS ${header} VERBATIM
    COMMAND ${CMAKE_COMMAND} -DSOURCE_DIR=${PROJECT_SOURCE_DIR} -DOUTPUT=${header} -DVERSION=${PROJECT_VERSION}
            -P ${CMAKE_CURRENT_FUNCTION_LIST_FILE}
    COMMENT "Looking up the git revision")
  add_dependencies(${target} annulus_revision)
  target_include_directories(${target} PRIVATE ${PROJECT_BINARY_DIR}/generated)
endfunction()
