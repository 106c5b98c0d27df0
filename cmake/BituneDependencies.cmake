# Foreign libraries. A missing one is an error that names the Debian package.
find_package(PkgConfig REQUIRED)

function(bitune_require target modules package)
  pkg_check_modules(${target} IMPORTED_TARGET ${modules})
  if(NOT ${target}_FOUND)
    message(FATAL_ERROR "${modules} was not found; on Debian or Ubuntu: apt install ${package}")
  endif()
  set(${target}_VERSION ${${target}_VERSION} PARENT_SCOPE)
endfunction()

bitune_require(JANSSON "jansson>=2.10" libjansson-dev)
bitune_require(NLOPT "nlopt>=2.6" libnlopt-dev)
bitune_require(LAPACK "lapack" liblapack-dev)
if(BITUNE_IMAGING)
  bitune_require(PNG "libpng>=1.6" libpng-dev)
  bitune_require(TIFF "libtiff-4>=4.1" libtiff-dev)
  bitune_require(FFTW "fftw3" libfftw3-dev)
  # Debian names the module petsc, PETSc's own builds PETSc.
  pkg_search_module(PETSC IMPORTED_TARGET petsc>=3.18 PETSc>=3.18)
  if(NOT PETSC_FOUND)
    message(FATAL_ERROR "PETSc >= 3.18 was not found; on Debian or Ubuntu: apt install petsc-dev, elsewhere set "
                        "PKG_CONFIG_PATH to $PETSC_DIR/$PETSC_ARCH/lib/pkgconfig")
  endif()
  find_package(MPI REQUIRED COMPONENTS C)
endif()
if(BITUNE_TESTS)
  bitune_require(CUNIT "cunit" libcunit1-dev)
endif()
