"""What every client of Kafka here shares: its properties, what its errors mean, and what is asked of topics."""
