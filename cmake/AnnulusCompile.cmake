# How Annulus's own C files are compiled: warnings, numerics, sanitizers, instruction sets.

set(annulus_warnings
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla -Wstrict-prototypes -Wmissing-prototypes)
if(ANNULUS_WERROR)
  list(APPEND annulus_warnings -Werror)
endif()
if(CMAKE_C_COMPILER_ID STREQUAL "Clang") # it tells of each loop that sanitizers keep from becoming vectors
  list(APPEND annulus_warnings -Wno-pass-failed)
endif()

# Options shared by the library, the program and the tests. There is no -march: one build runs on every x86-64 and chooses its
# kernels at run time.
function(annulus_compile target)
  target_compile_options(${target} PRIVATE ${annulus_warnings} -fno-math-errno -fno-semantic-interposition)
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
  # The root is for "datasets/..."; XXHASH_INCLUDE_DIR for the header-only hash.
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR})
  target_include_directories(${target} SYSTEM PRIVATE ${XXHASH_INCLUDE_DIR})
  if(ANNULUS_SANITIZE)
    target_compile_options(${target} PRIVATE
      -fsanitize=${ANNULUS_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(${target} PRIVATE -fsanitize=${ANNULUS_SANITIZE})
  endif()
endfunction()

# Compiles each source once per instruction set, with -DANN_SIMD=base|avx2|avx512, and adds the objects to `target`.
function(annulus_add_simd_objects target)
  if(NOT ARGN)
    return()
  endif()
  set(levels base)
  set(flags_base)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    list(APPEND levels avx2 avx512)
    set(flags_avx2 -mavx2 -mfma)
    set(flags_avx512 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx2 -mfma -mprefer-vector-width=512)
  endif()
  foreach(level IN LISTS levels)
    set(objects ${target}_simd_${level})
    add_library(${objects} OBJECT ${ARGN})
    annulus_compile(${objects})
    target_compile_definitions(${objects} PRIVATE ANN_SIMD=${level})
    # -O3 in every build type: these files are loops for the vectorizer, and tests of other builds would crawl without it.
    target_compile_options(${objects} PRIVATE -O3 -fno-trapping-math ${flags_${level}})
    target_link_libraries(${objects} PRIVATE OpenMP::OpenMP_C)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${objects}>)
  endforeach()
endfunction()
