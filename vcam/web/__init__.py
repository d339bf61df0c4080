"""The panel: a page in the browser that shows what others see and changes it. It speaks to vcam as any client does."""
