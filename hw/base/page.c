/* See page.h. */
#include "hw/base/page.h"

#include "core/panic.h"
#include "hw/base/log.h"

#include <stdarg.h>
#include <stdio.h>

void fb_page_put(struct fb_page *page, const char *format, ...)
{
    FB_ASSERT(page->used < page->size); /* the end has its byte */
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(page->text + page->used, page->size - page->used, format, arguments);
    va_end(arguments);
    if (length > 0 && (uint32_t)length < page->size - page->used)
        page->used += (uint32_t)length;
    else if (length != 0 && page->left_out++ == 0)
        fb_log(FB_LOG_WARNING, "page_cut", "size=%u used=%u", page->size, page->used);
}
