"""What people look at: status and stories of cases."""
