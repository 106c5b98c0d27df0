# The task files as C arrays: cmake -D OUT=FILE.c -D FILES="a.json;b.json" -P task_texts.cmake
set(arrays "")
set(rows "")
set(i 0)
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(APPEND arrays "static const unsigned char text_${i}[] = {${bytes}};\n")
  string(APPEND rows "    {\"${name}\", text_${i}, sizeof text_${i}},\n")
  math(EXPR i "${i} + 1")
endforeach()
file(WRITE ${OUT} "#include \"nn/task_texts_internal.h\"\n\n${arrays}\n"
  "const NnTaskText nn_task_texts[] = {\n${rows}};\nconst size_t nn_task_text_count = ${i};\n")
