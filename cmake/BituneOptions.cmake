# Language level, warnings, sanitizers and the CUDA choice, as one interface target that every part links.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(bitune_build INTERFACE)
target_compile_definitions(bitune_build INTERFACE _POSIX_C_SOURCE=200809L)
target_compile_options(bitune_build INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes -Wmissing-prototypes
  -Wvla -Wformat=2
  # Vectorisable square roots, fused multiply-add and explicit `omp simd` reductions; IEEE semantics otherwise.
  -fno-math-errno -fno-trapping-math -ffp-contract=fast -fopenmp-simd)
if(BITUNE_WERROR)
  target_compile_options(bitune_build INTERFACE -Werror)
endif()
if(BITUNE_SANITIZE)
  target_compile_options(bitune_build INTERFACE -fsanitize=${BITUNE_SANITIZE} -fno-sanitize-recover=all
                         -fno-omit-frame-pointer -g)
  target_link_options(bitune_build INTERFACE -fsanitize=${BITUNE_SANITIZE})
endif()
target_link_libraries(bitune_build INTERFACE m)

# Nothing is written in CUDA yet: AUTO looks for the compiler so that `bitune version` can tell, ON demands it.
set(BITUNE_HAVE_CUDA OFF)
if(NOT BITUNE_CUDA STREQUAL "OFF")
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    set(BITUNE_HAVE_CUDA ON)
  elseif(BITUNE_CUDA STREQUAL "ON")
    message(FATAL_ERROR "BITUNE_CUDA=ON, but no CUDA compiler was found; put nvcc on PATH or set CMAKE_CUDA_COMPILER")
  endif()
endif()
