# Language level, warnings and sanitizers, as one interface target that every part links.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(bitune_build INTERFACE)
target_compile_definitions(bitune_build INTERFACE _POSIX_C_SOURCE=200809L)
set(host "$<COMPILE_LANGUAGE:C,CXX>") # C++ is for tests alone
set(device "$<COMPILE_LANGUAGE:CUDA>")
target_compile_options(bitune_build INTERFACE
  "$<${host}:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wconversion;-Wno-sign-conversion;-Wvla;-Wformat=2>"
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes> $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>
  # Vectorisable square roots, fused multiply-add and explicit `omp simd` reductions; IEEE semantics otherwise.
  "$<${host}:-fno-math-errno;-fno-trapping-math;-ffp-contract=fast;-fopenmp-simd>"
  # What the host's compiler sees of a file in CUDA was written by nvcc: -Wpedantic would be about that.
  "$<${device}:-Xcompiler=-Wall,-Wextra,-Wshadow,-Wconversion,-Wno-sign-conversion,-Wformat=2>"
  $<${device}:-Xcompiler=-fno-exceptions,-fno-rtti>)
if(BITUNE_WERROR)
  target_compile_options(bitune_build INTERFACE $<${host}:-Werror> $<${device}:-Werror=all-warnings>)
endif()
if(BITUNE_SANITIZE)
  target_compile_options(bitune_build INTERFACE
                         "$<${host}:-fsanitize=${BITUNE_SANITIZE};-fno-sanitize-recover=all;-fno-omit-frame-pointer;-g>")
  target_link_options(bitune_build INTERFACE -fsanitize=${BITUNE_SANITIZE})
endif()
target_link_libraries(bitune_build INTERFACE m)
