"""What figures, pages and tables say, in English and Chinese. Pure."""
