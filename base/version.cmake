# Writes version.h when the version or the commit changed; called at each build.
execute_process(COMMAND git -c safe.directory=* -C ${SOURCE} rev-parse --short=12 HEAD
                OUTPUT_VARIABLE SHA OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT SHA)
  set(SHA "unknown")
else()
  execute_process(
    COMMAND git -c safe.directory=* -C ${SOURCE} status --porcelain --untracked-files=no
                  OUTPUT_VARIABLE CHANGES ERROR_QUIET)
  if(CHANGES)
    set(SHA "${SHA}-dirty")
  endif()
endif()
string(CONCAT TEXT "/* Made by base/version.cmake. */\n#ifndef FB_VERSION\n"
  "#define FB_VERSION \"${VERSION}\"\n#define FB_GIT_SHA \"${SHA}\"\n#endif\n")
set(OLD "")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} OLD)
endif()
if(NOT OLD STREQUAL TEXT)
  file(WRITE ${OUTPUT} "${TEXT}")
endif()
