-- An error: reported as one, or it came with an error's message.
(e."level" = 'error' OR e."error_message" IS NOT NULL)
