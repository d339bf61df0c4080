"""What vcam costs and how well it cuts, measured."""
