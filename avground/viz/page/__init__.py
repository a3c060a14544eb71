"""Pages of HTML that show where and when a model looked: one file each, which loads nothing from anywhere."""

from avground.viz.page.pages import explain_page, gallery_page

__all__ = ["explain_page", "gallery_page"]
