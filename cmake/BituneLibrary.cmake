# bitune_part(name SOURCES … PARTS … LIBRARIES …): one folder of src as a target that exports only its own headers.
#
# A folder's headers are reached as "folder/header.h" through an include root that holds a link to that folder alone,
# so a part sees the headers of the parts it names in PARTS and of nothing else: an upward include does not compile.
function(bitune_part name)
  cmake_parse_arguments(PART "" "" "SOURCES;PARTS;LIBRARIES" ${ARGN})
  set(root ${CMAKE_BINARY_DIR}/include/${name})
  file(MAKE_DIRECTORY ${root})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${root}/${name} SYMBOLIC)

  add_library(bt_${name} OBJECT ${PART_SOURCES})
  target_include_directories(bt_${name} PUBLIC ${root})
  target_link_libraries(bt_${name} PRIVATE bitune_build PUBLIC ${PART_LIBRARIES})
  foreach(part IN LISTS PART_PARTS)
    target_link_libraries(bt_${name} PUBLIC bt_${part})
  endforeach()
  set_property(GLOBAL APPEND PROPERTY BITUNE_PARTS bt_${name})

  file(GLOB headers ${CMAKE_CURRENT_SOURCE_DIR}/*.h)
  list(FILTER headers EXCLUDE REGEX "_internal\\.h$")
  install(FILES ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/bitune/${name})
endfunction()
