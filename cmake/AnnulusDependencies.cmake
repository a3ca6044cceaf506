# What libannulus links, as one list: annulus_dependencies. None of it appears in the public headers.

find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS C)
find_package(MPI REQUIRED COMPONENTS C)
# Any build of HDF5 will do: files are per rank or per writer, MPI-IO is not used.
find_package(HDF5 REQUIRED COMPONENTS C)
find_package(ZLIB REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(OPENBLAS REQUIRED IMPORTED_TARGET openblas)
pkg_check_modules(FYAML REQUIRED IMPORTED_TARGET libfyaml)
pkg_check_modules(PNG REQUIRED IMPORTED_TARGET libpng)
pkg_check_modules(JPEG REQUIRED IMPORTED_TARGET libjpeg)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd)
# Of what grpc.pc lists only these two are called; the other sixty are gRPC's own.
pkg_check_modules(GRPC REQUIRED grpc gpr)
set(annulus_grpc grpc gpr)

find_path(XXHASH_INCLUDE_DIR xxhash.h)
mark_as_advanced(XXHASH_INCLUDE_DIR)
if(NOT XXHASH_INCLUDE_DIR)
  message(FATAL_ERROR "xxhash.h was not found: install libxxhash-dev.")
endif()

set(annulus_dependencies
    MPI::MPI_C hdf5::hdf5 PkgConfig::OPENBLAS PkgConfig::FYAML PkgConfig::PNG PkgConfig::JPEG ZLIB::ZLIB
    PkgConfig::SQLITE PkgConfig::CRYPTO PkgConfig::PROTOBUF_C PkgConfig::MICROHTTPD ${annulus_grpc}
    OpenMP::OpenMP_C Threads::Threads m)

if(ANNULUS_ONEDNN)
  find_package(DNNL)
  if(NOT DNNL_FOUND)
    message(FATAL_ERROR "oneDNN was not found: install libdnnl-dev, or build without it: -DANNULUS_ONEDNN=OFF.")
  endif()
  list(APPEND annulus_dependencies DNNL::dnnl)
endif()
