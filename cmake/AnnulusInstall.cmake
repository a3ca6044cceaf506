# Installation: library, public headers, CMake package, pkg-config file, licence.

include(CMakePackageConfigHelpers)

# The public headers are those that the umbrella header includes, directly or through others.
function(annulus_public_headers out header)
  set(found)
  set(queue ${header})
  while(queue)
    list(POP_FRONT queue next)
    if(next IN_LIST found OR NOT EXISTS ${PROJECT_SOURCE_DIR}/src/${next})
      continue()
    endif()
    list(APPEND found ${next})
    file(STRINGS ${PROJECT_SOURCE_DIR}/src/${next} lines REGEX "^#include \"")
    foreach(line IN LISTS lines)
      string(REGEX REPLACE "^#include \"([^\"]+)\".*" "\\1" included "${line}")
      list(APPEND queue ${included})
    endforeach()
  endwhile()
  set(${out} ${found} PARENT_SCOPE)
endfunction()

annulus_public_headers(public_headers annulus.h)
foreach(header IN LISTS public_headers)
  get_filename_component(directory ${header} DIRECTORY)
  install(FILES ${PROJECT_SOURCE_DIR}/src/${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/annulus/${directory})
endforeach()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/annulus)
install(TARGETS annulus EXPORT annulus-targets ARCHIVE LIBRARY)
install(EXPORT annulus-targets NAMESPACE annulus:: DESTINATION ${package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/annulus-config.cmake.in ${PROJECT_BINARY_DIR}/annulus-config.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/annulus-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/annulus-config.cmake ${PROJECT_BINARY_DIR}/annulus-config-version.cmake
  ${PROJECT_SOURCE_DIR}/cmake/FindDNNL.cmake DESTINATION ${package_dir})

# pkg-config: a static libannulus hands its own libraries on to whoever links it.
set(pc_requires "openblas libfyaml libpng libjpeg sqlite3 libcrypto libprotobuf-c libmicrohttpd zlib")
list(FILTER HDF5_C_LIBRARIES INCLUDE REGEX "hdf5")
set(pc_libs ${HDF5_C_LIBRARIES} ${MPI_C_LIBRARIES} -lgrpc -lgpr)
if(ANNULUS_ONEDNN)
  list(APPEND pc_libs ${DNNL_LIBRARY})
endif()
list(APPEND pc_libs ${OpenMP_C_FLAGS} -lpthread -lm)
list(JOIN pc_libs " " pc_libs)
if(BUILD_SHARED_LIBS)
  set(pc_own "Requires.private: ${pc_requires}\nLibs: -L\${libdir} -lannulus\nLibs.private: ${pc_libs}")
else()
  set(pc_own "Requires: ${pc_requires}\nLibs: -L\${libdir} -lannulus ${pc_libs}")
endif()
# Relative, so that the tree may be installed to another prefix than was configured, or moved.
file(RELATIVE_PATH pc_to_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(${PROJECT_SOURCE_DIR}/cmake/annulus.pc.in ${PROJECT_BINARY_DIR}/annulus.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/annulus.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
